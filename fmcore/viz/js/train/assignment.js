// Who is paired with whom so that it costs least: the assignment problem, by shortest augmenting paths
// (Jonker & Volgenant 1987; Crouse 2016), exact, in a time of order n³.

/**
 * The column of each row that makes the sum of cost[i n + column(i)] least.
 * @param {Float64Array} cost  n rows of n
 * @param {number} n
 */
export function assignment(cost, n) {
  const [rowPrice, columnPrice, distance] = [0, 0, 0].map(() => new Float64Array(n));
  const [columnOf, rowOf, before] = [0, 0, 0].map(() => new Int32Array(n).fill(-1));
  const open = new Int32Array(n); // columns that are not reached for good yet: the first of them
  const reached = new Int32Array(n); // and those that are
  for (let first = 0; first < n; first++) {
    distance.fill(Infinity);
    for (let j = 0; j < n; j++) open[j] = j;
    let [row, least, ending, opened, closed] = [first, 0, -1, n, 0];
    while (ending < 0) {
      let next = Infinity;
      let at = -1;
      for (let k = 0; k < opened; k++) {
        const j = open[k];
        const there = least + cost[row * n + j] - rowPrice[row] - columnPrice[j];
        if (there < distance[j]) {
          distance[j] = there;
          before[j] = row;
        }
        if (distance[j] < next || (distance[j] === next && rowOf[j] < 0)) {
          next = distance[j];
          at = k;
        }
      }
      const column = open[at];
      open[at] = open[--opened];
      reached[closed++] = column;
      least = next;
      if (rowOf[column] < 0) ending = column;
      else row = rowOf[column];
    }
    rowPrice[first] += least;
    for (let k = 0; k < closed - 1; k++) {
      const j = reached[k];
      rowPrice[rowOf[j]] += least - distance[j];
      columnPrice[j] -= least - distance[j];
    }
    for (let j = ending; ;) {
      const i = before[j];
      rowOf[j] = i;
      [columnOf[i], j] = [j, columnOf[i]];
      if (i === first) break;
    }
  }
  return columnOf;
}

/**
 * The best pairing of two clouds of as many points, by squared distance: the partner of each point of
 * the first, and the Wasserstein-2 distance of the two.
 *
 * @param {Cloud} a
 * @param {Cloud} b
 */
export function transport(a, b) {
  const n = a.x.length;
  const cost = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      cost[i * n + j] = (a.x[i] - b.x[j]) ** 2 + (a.y[i] - b.y[j]) ** 2;
    }
  }
  const partners = assignment(cost, n);
  const sum = partners.reduce((total, j, i) => total + cost[i * n + j], 0);
  return { partners, distance: Math.sqrt(sum / n) };
}
