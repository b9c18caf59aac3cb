// The triangles of one scene: their bytes, kept for a graphics card that forgets, and their buffers.

const HEAD = 8;

export class Mesh {
  /** @param {Uint8Array} packed as `real/page/geometry.py` lays it out. */
  constructor(packed) {
    const length = new DataView(packed.buffer, packed.byteOffset).getUint32(0, true);
    const index = JSON.parse(new TextDecoder().decode(packed.subarray(HEAD, HEAD + length)));
    const sizes = [index.vertices * 12, index.vertices * 4, index.faces * 12];
    let place = HEAD + length;
    [this.points, this.colours, this.corners] = sizes.map(size => {
      place += size;
      return packed.slice(place - size, place);
    });
    this.bodies = index.bodies;
  }

  /** Hands the triangles to the graphics card. */
  upload(gl, program) {
    this.array = gl.createVertexArray();
    gl.bindVertexArray(this.array);
    this.buffers = [
      filled(gl, gl.ARRAY_BUFFER, this.points),
      filled(gl, gl.ARRAY_BUFFER, this.colours),
      filled(gl, gl.ELEMENT_ARRAY_BUFFER, this.corners),
    ];
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[0]);
    gl.enableVertexAttribArray(program.point);
    gl.vertexAttribPointer(program.point, 3, gl.FLOAT, false, 0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[1]);
    gl.enableVertexAttribArray(program.colour);
    gl.vertexAttribPointer(program.colour, 4, gl.UNSIGNED_BYTE, true, 0, 0);
    gl.bindVertexArray(null);
  }

  /** Draws every body; `place` sets the pose of a body by its index. */
  draw(gl, place) {
    gl.bindVertexArray(this.array);
    this.bodies.forEach((body, index) => {
      place(index);
      gl.drawElements(gl.TRIANGLES, body.count, gl.UNSIGNED_INT, body.first * 4);
    });
    gl.bindVertexArray(null);
  }

  /** Takes the triangles off the graphics card. */
  free(gl) {
    gl.deleteVertexArray(this.array);
    for (const buffer of this.buffers) gl.deleteBuffer(buffer);
  }
}

function filled(gl, target, bytes) {
  const buffer = gl.createBuffer();
  gl.bindBuffer(target, buffer);
  gl.bufferData(target, bytes, gl.STATIC_DRAW);
  return buffer;
}
