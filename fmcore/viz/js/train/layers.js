// A network's tensors, weight and bias in turn, as the layers that a field is made of.

/** @type {(tensors: Float32Array[]) => { weight: Float32Array, bias: Float32Array }[]} */
export const layersOf = (tensors) =>
  tensors.flatMap((weight, i) => (i % 2 ? [] : [{ weight, bias: tensors[i + 1] }]));
