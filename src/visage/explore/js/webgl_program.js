// Compiles WebGL 2 programs for every view of the book.

// A linked program from the sources of its two shaders. `attributes`: names that get the places 0, 1, 2, …; leave it out where the source says `layout(location = …)`.
// Throws with the driver's own words when a source is wrong. A lost context compiles nothing and is no error: it comes back, and the view builds anew.
export function compileProgram(gl, vertex, fragment, attributes = []) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
    gl.deleteShader(shader);
  }
  attributes.forEach((name, place) => gl.bindAttribLocation(program, place, name));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(gl.getProgramInfoLog(program));
  return program;
}

// Where a program has its uniforms, by name: { uTurn: place, … }; arrays without their [0].
export function uniformPlaces(gl, program) {
  const places = {};
  const count = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS) ?? 0;
  for (let i = 0; i < count; i++) {
    const { name } = gl.getActiveUniform(program, i);
    places[name.replace("[0]", "")] = gl.getUniformLocation(program, name);
  }
  return places;
}
