// The shapes that pass between the rooms. This file is no module, so that its names are known in all
// of them; nothing of it reaches a page. The state of the flow figure is declared beside its controls.

/** @typedef {[x: number, y: number]} Point */
/** @typedef {[xmin: number, xmax: number, ymin: number, ymax: number]} Box */
/** @typedef {[t0: number, t1: number]} Span */
/** @typedef {{ x: Float64Array, y: Float64Array }} Cloud  points of the plane */
/** @typedef {Float64Array | Float32Array | number[]} Numbers */

// ---- fields

/**
 * Fills u and v with the velocity at time t of the first n points of x and y.
 * @callback Evaluate
 * @param {number} t
 * @param {Float64Array} x
 * @param {Float64Array} y
 * @param {number} n
 * @param {Float64Array} u
 * @param {Float64Array} v
 * @returns {void}
 */

/**
 * @typedef {object} Field
 * @property {number} cost  of one point, in multiplications, roughly
 * @property {Evaluate} evaluate
 * @property {Evaluate} [plain]  what a kernel computes, in JavaScript: its meaning and its substitute
 * @property {() => void} [refresh]  takes over weights that have changed
 * @property {boolean} [steady]  true where time makes no difference
 * @property {Box} [domain]  where the field is known
 * @property {number} [count]  of the conditional paths it is a mean over
 * @property {(t: number, x0: number, x1: number) => number} [along]  a coordinate of such a path
 * @property {(noise: number) => Noisy} [noisy]  the SDE with the same marginals, of g = noise b(t)
 * @property {(t: number, d: number, z: Float64Array, least: number) => Float64Array} [density]
 * @property {(t: number, x: number, y: number, limit: number) => Conditional[]} [conditionals]
 */

/** @typedef {{ drift: Evaluate, g: (t: number) => number }} Noisy  dx = drift dt + g dW */

/**
 * The conditional path through a point, and its velocity (u, v) there.
 * @typedef {{ weight: number, from: Point, to: Point, u: number, v: number }} Conditional
 */

/**
 * What is known of a field at a point.
 * @typedef {{ at: Point, t: number, v: Point, paths: Conditional[], count?: number }} Inspection
 */

// ---- solvers

/**
 * fmcore.solvers.ButcherTableau.as_dict()
 * @typedef {object} Tableau
 * @property {string} name
 * @property {number[][]} a
 * @property {number[]} b
 * @property {number[]} c
 * @property {number[] | null} b_embedded
 * @property {number | null} embedded_order
 * @property {number[][] | null} dense
 */

/**
 * @typedef {object} Solver
 * @property {string} id
 * @property {string} label
 * @property {string} color
 * @property {string} marker
 * @property {boolean} adaptive  chooses its steps by a tolerance
 * @property {Tableau} tableau
 */

/** @typedef {{ solver: string, steps: number, tolerance: number }} Choice  a solver by its id */
/** @typedef {{ amount: number, gusts: import("./flow/diffuse.js").Gusts }} Noise */
/** @typedef {{ solver: Solver, steps: number, tolerance: number, noise?: Noise }} RunChoice */

// ---- data from Python

/**
 * @typedef {{ kind: "uniform", extent: Box }
 *   | { kind: "mixture", means: Numbers, stds: Numbers, weights: Numbers }} Distribution
 */

/** @typedef {{ kind: string, error?: { rms: number, max: number } } & Record<string, any>} FieldData */

/**
 * fmcore.viz.FlowFigure.spec
 * @typedef {object} FlowSpec
 * @property {FieldData} field
 * @property {Distribution} source
 * @property {Distribution | null} target
 * @property {Solver[]} solvers
 * @property {Tableau} reference  of the path that others are compared with
 * @property {Span} span
 * @property {Box} extent
 * @property {number} particles
 * @property {number} most_steps
 * @property {Colors} colors
 * @property {boolean} conditionals
 * @property {boolean} marginals
 * @property {{ most: number, rule: Solver } | null} noise  of the dial, and the rule where there is any
 * @property {string} alt
 * @property {{ steps: number, tolerance: number }} compare_state
 * @property {import("./ui/flow_controls.js").FlowState} start_state
 */

/**
 * fmcore.viz.DigitFigure.spec
 * @typedef {object} DigitSpec
 * @property {string} picture  a PNG as base64
 * @property {[count: number, height: number, width: number]} shape
 * @property {{ id: string, label: string }[]} solvers
 * @property {number[]} steps
 * @property {number[]} times
 * @property {number[]} nfe
 * @property {number[]} rms
 * @property {{ label: string, nfe: number }} reference
 * @property {string} alt
 * @property {LiveSpec | null} live  where the network can run in the page
 * @property {DigitState} start_state
 */

/**
 * fmcore.viz.living.live
 * @typedef {object} LiveSpec
 * @property {string} worker  its script
 * @property {number} bytes  of the weights and what comes with them
 * @property {number | null} classes
 * @property {Tableau[]} tableaus  of the solvers, in their order
 * @property {[x: number, v: number][]} guess  the weights of E[x1 | xt] = x_weight x + v_weight v, at even times
 */

/** @typedef {{ solver: string, steps: number, share: number, playing: boolean }} DigitState */

/**
 * fmcore.viz.HandFigure.spec; pictures are bytes, from paper to ink.
 * @typedef {object} HandSpec
 * @property {[height: number, width: number]} shape
 * @property {string[]} names  of the test digits
 * @property {Uint8Array} digits  one after the other
 * @property {Uint8Array} drawing  what is on the sheet at first
 * @property {Uint8Array} finished  pictures that were made of it in advance
 * @property {{ kind: string }} path
 * @property {{ steps: number, seed: number, t: number, goal: string }} start_state
 * @property {string} alt
 * @property {LiveSpec} live
 */

/**
 * fmcore.viz.WireFigure.spec; pictures are bytes, from paper to ink.
 * @typedef {object} WireSpec
 * @property {[count: number, height: number, width: number]} shape
 * @property {number[] | null} labels  what each digit is asked for
 * @property {number} steps
 * @property {number} levels
 * @property {(import("./net/cut.js").Wire & { id: string, text: string, place: [row: number, column: number, wide: number] })[]} wires
 * @property {Uint8Array} pictures  of the whole network, and then with each wire cut
 * @property {((number | null)[] | null)[]} reads  what the judge reads in them
 * @property {{ cut: string[] }} start_state
 * @property {string} alt
 * @property {LiveSpec} live
 */

// ---- pictures

/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {"light" | "dark"} Theme */
/** @typedef {{ source: string, path: string, target: string, field: string }} Colors */

/**
 * The colours of a theme.
 * @typedef {object} Look
 * @property {Theme} theme
 * @property {string} stage
 * @property {string} ink
 * @property {string} quiet
 * @property {number} air  opacity of the arrows
 * @property {number} trail  opacity of a trail at its head
 * @property {(color: string) => string} tint  a colour as it looks in this theme
 * @property {(share: number) => string} timeColor  of a particle at a share of the whole time
 */

/**
 * What a panel shows; its layers take from it what they need.
 * @typedef {object} Scene
 * @property {import("./ui/flow_controls.js").FlowState} state
 * @property {number} t
 * @property {Span} span
 * @property {Look & Colors} look
 * @property {Cloud | null} target
 * @property {Inspection | null} found  under the pointer, or at the probe
 * @property {import("./flow/run.js").Run | null} exact  the path of the starting point
 * @property {import("./flow/run.js").Run} [run]  of the particles
 * @property {import("./flow/run.js").Run} [path]  of the starting point
 */

// ---- hosts

/** @typedef {{ model: { get(name: string): any }, el: FigureElement }} Host */
/** @typedef {HTMLElement & { fmFigure?: { state(): any, set(change: any): void } }} FigureElement */

/**
 * What a figure gives to its host.
 * @typedef {object} Mounted
 * @property {HTMLElement} node
 * @property {() => void} resize
 * @property {(visible: boolean) => void} show
 * @property {(theme: Theme) => void} theme
 * @property {() => void} stop
 */
