// Flat shading: the normal of a triangle is what its positions change by from pixel to pixel.

const VERTEX = `#version 300 es
in vec3 point;
in vec4 colour;
uniform mat4 view;
uniform mat4 pose;
out vec3 position;
out vec3 tint;
void main() {
  vec4 world = pose * vec4(point, 1.0);
  position = world.xyz;
  tint = colour.rgb;
  gl_Position = view * world;
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec3 position;
in vec3 tint;
uniform vec3 eye;
out vec4 shown;
void main() {
  vec3 normal = normalize(cross(dFdx(position), dFdy(position)));
  vec3 towards = normalize(eye - position);
  float head = abs(dot(normal, towards));
  float sky = 0.5 + 0.5 * normal.z * sign(dot(normal, towards));
  vec3 base = mix(vec3(0.16), vec3(1.0), tint);
  shown = vec4(base * (0.25 + 0.45 * head + 0.3 * sky), 1.0);
}`;

/** The program of the scene, with the places of what it takes. */
export function linkProgram(gl) {
  const handle = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(handle, shader);
  }
  gl.linkProgram(handle);
  if (!gl.getProgramParameter(handle, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(handle));
  const uniforms = Object.fromEntries(["view", "pose", "eye"].map(name => [name, gl.getUniformLocation(handle, name)]));
  const inputs = Object.fromEntries(["point", "colour"].map(name => [name, gl.getAttribLocation(handle, name)]));
  return { handle, ...uniforms, ...inputs };
}
