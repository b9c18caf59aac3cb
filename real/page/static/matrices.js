// Matrices of four by four for the scene, column by column as WebGL takes them.

/** A perspective projection; `angle` is the vertical field of view in rad. */
export function perspective(angle, aspect, near, far) {
  const f = 1 / Math.tan(angle / 2);
  return [f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0];
}

/** The view of an eye that looks at a point, z up. */
export function lookAt(eye, at) {
  const back = unit(eye.map((value, axis) => value - at[axis]));
  const right = unit(cross([0, 0, 1], back));
  const up = cross(back, right);
  return [
    right[0], up[0], back[0], 0, right[1], up[1], back[1], 0, right[2], up[2], back[2], 0,
    -dot(right, eye), -dot(up, eye), -dot(back, eye), 1,
  ];
}

/** The product of two matrices. */
export function times(a, b) {
  const product = new Float32Array(16);
  for (let column = 0; column < 4; column += 1) {
    for (let row = 0; row < 4; row += 1) {
      for (let k = 0; k < 4; k += 1) product[4 * column + row] += a[4 * k + row] * b[4 * column + k];
    }
  }
  return product;
}

/** A pose of three rows of four, as the server sends it. */
export function fromRows(rows, first) {
  const matrix = new Float32Array(16);
  for (let row = 0; row < 3; row += 1) {
    for (let column = 0; column < 4; column += 1) matrix[4 * column + row] = rows[first + 4 * row + column];
  }
  matrix[15] = 1;
  return matrix;
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a, b) {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function unit(a) {
  const length = Math.hypot(...a) || 1;
  return a.map(value => value / length);
}
