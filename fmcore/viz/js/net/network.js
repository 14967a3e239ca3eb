// A network of fmcore, from its layout and weights. Vectors, of time and label, are computed once for
// both; pictures one after the other.

import { PICTURE_OPERATIONS, readPicture, writePicture } from "./operations.js";
import { KINDS, Plan } from "./plan.js";
import { VECTOR_OPERATIONS } from "./vectors.js";

/** @typedef {import("./vectors.js").Label} Label */
/** @typedef {(x: ArrayLike<number>, t: number, label?: Label) => Float32Array} Velocity */

/**
 * The network for pictures of a size, `velocity(x, t, label)`: x and what it returns are channel by
 * channel, as in PyTorch, or a vector where the network ends in one. An MLP takes a picture one pixel
 * high, with a point in each pixel. `kinds` are the kernels to try.
 *
 * Throws an Error if the weights do not fit the layout, or the size does not.
 *
 * @param {import("./file.js").NetworkFile} file
 * @param {number} height
 * @param {number} width
 * @param {import("./plan.js").Kind[]} [kinds]
 * @returns {{ kind?: import("./plan.js").Kind, velocity: Velocity }}
 */
export function buildNetwork({ layout, tensors }, height, width, kinds = KINDS) {
  const { channels, margin, multiple, ops, result } = layout;
  if (height % multiple || width % multiple) {
    throw new Error(`height and width must be multiples of ${multiple}: ${height}, ${width}`);
  }
  const plan = new Plan(margin, tensors);
  /** @type {{ t: number, label: Label }} */
  let told = { t: NaN, label: null };
  const input = plan.picture("x", channels, height, width);
  const late = new Set(); // vectors that come from pictures
  for (const op of ops) {
    const vector = VECTOR_OPERATIONS[op.op]?.(op, (name) => plan.tensor(name));
    if (vector) {
      const step = () => (plan.vectors[op.to] = vector(plan.vectors, told.t, told.label));
      if (late.has(op.from)) late.add(op.to);
      (late.has(op.from) ? plan.late : plan.early).push(step);
    } else if (PICTURE_OPERATIONS[op.op]) {
      PICTURE_OPERATIONS[op.op](op, plan);
      if (!plan.pictures[op.to]) late.add(op.to);
    } else {
      throw new Error(`the weights are of another architecture: it has a ${op.op}`);
    }
  }
  const kind = plan.start(kinds);
  return {
    kind,
    velocity(x, t, label = null) {
      const size = channels * height * width;
      if (x.length !== size) throw new Error(`x has ${x.length} numbers, not ${size}`);
      if (t !== told.t || label !== told.label) {
        told = { t, label };
        for (const step of plan.early) step();
      }
      writePicture(plan.memory, input, x);
      for (const step of plan.late) step();
      const picture = plan.pictures[result];
      return picture
        ? readPicture(plan.memory, picture)
        : Float32Array.from(plan.vectors[result] ?? []);
    },
  };
}
