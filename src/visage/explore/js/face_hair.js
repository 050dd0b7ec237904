// Strands of hair for the graphics card: one buffer of points a style, made when it is first worn.

// A style's strands on a context: { casts, follow(head), draw(program, colour, share) }.
export function makeHair(gl, face, name) {
  const { points, width, copies, apart, step } = face.tufts[name];
  const [levels, openness] = [face[`hair_${name}_points`], face[`hair_${name}_openness`]];
  const [index, weights] = [face[`hair_${name}_index`], face[`hair_${name}_weights`]];
  const count = openness.length / points;
  const lines = Math.ceil((count * points) / 1024);
  const packed = new Int16Array(4 * 1024 * lines);
  for (let s = 0; s < count; s++) {
    for (let k = 0; k < points; k++) {
      const at = 4 * (s * points + k);
      for (let c = 0; c < 3; c++) packed[at + c] = levels[(3 * s + c) * points + k];
      packed[at + 3] = openness[s * points + k];
    }
  }
  const table = (format, width, height) => {
    const made = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, made);
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    for (const which of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, which, gl.NEAREST);
    return made;
  };
  const places = table(gl.RGBA16I, 1024, lines);
  gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 1024, lines, gl.RGBA_INTEGER, gl.SHORT, packed);
  // A strip of triangles a strand, two vertices a point; the largest number begins a new strip.
  const strip = new Uint32Array(count * (2 * points + 1));
  for (let s = 0, at = 0; s < count; s++) {
    for (let k = 0; k < 2 * points; k++) strip[at++] = 2 * points * s + k;
    strip[at++] = 0xffffffff;
  }
  const array = gl.createVertexArray();
  gl.bindVertexArray(array);
  gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, strip, gl.STATIC_DRAW);
  gl.bindVertexArray(null);
  // Two texels a strand: how far its root and its tip have moved.
  const rows = Math.ceil(count / 256);
  const moved = new Float32Array(8 * 256 * rows);
  const texture = table(gl.RGBA32F, 512, rows);

  return {
    casts: name !== "brows" && name !== "lashes", // what is shorter than a texel throws no shadow
    // Lets every strand follow the skin at its root.
    follow(head) {
      strandShifts(face.mean, head.positions, index, weights, count, moved);
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 512, rows, gl.RGBA, gl.FLOAT, moved);
    },
    // `share` of the copies is drawn, each wider, so that as much is covered.
    draw(program, colour, share) {
      const uniform = program.places;
      gl.bindVertexArray(array);
      [[uniform.uMoved, texture], [uniform.uStrands, places]].forEach(([sampler, bound], unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, bound);
        gl.uniform1i(sampler, unit);
      });
      gl.uniform1i(uniform.uPoints, points);
      gl.uniform3fv(uniform.uHairColour ?? null, colour.map((c) => c * face.tufts[name].dark));
      const drawn = Math.max(1, Math.round(copies * share));
      gl.uniform3f(uniform.uHair, step, width * Math.sqrt(copies / drawn), apart);
      for (let copy = 0; copy < drawn; copy++) {
        gl.uniform1i(uniform.uCopy, copy);
        gl.drawElements(gl.TRIANGLE_STRIP, strip.length, gl.UNSIGNED_INT, 0);
      }
    },
  };
}

// How far the skin has moved from the mean head at each strand's root and tip: x, y, z and 0, in mm.
export function strandShifts(mean, positions, index, weights, count, moved) {
  const ends = index.length / (4 * count);
  for (let s = 0; s < count; s++) {
    for (let end = 0; end < 2; end++) {
      const at = 4 * (ends * s + Math.min(end, ends - 1));
      const total = weights[at] + weights[at + 1] + weights[at + 2] + weights[at + 3];
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < 4; k++) {
          const v = 3 * index[at + k] + c;
          sum += weights[at + k] * (positions[v] - mean[v]);
        }
        moved[4 * (2 * s + end) + c] = sum / total;
      }
    }
  }
  return moved;
}
