import Testing

@testable import Compute

/// One attention problem, with views whose rows are apart.
struct AttentionCase: CustomTestStringConvertible, Sendable {
  var name: String
  var heads = 4
  var kvHeads = 2
  var headSize = 8
  var queries: Int
  var keys: Int
  var segments: [AttentionSegment]
  var scale: Float = 1

  var testDescription: String { name }

  struct Result {
    let out: Matrix
    let logSumExp: Matrix
    let dq: Matrix
    let dk: Matrix
    let dv: Matrix
  }

  struct Input {
    let q: Matrix
    let k: Matrix
    let v: Matrix
    let dOut: Matrix
  }

  func input(seed: UInt64 = 1) -> Input {
    var numbers = Numbers(seed)
    return Input(
      q: numbers.matrix(queries, heads * headSize, padding: 5, scale: scale),
      k: numbers.matrix(keys, kvHeads * headSize, padding: 3, scale: scale),
      v: numbers.matrix(keys, kvHeads * headSize, padding: 1),
      dOut: numbers.matrix(queries, heads * headSize, padding: 2))
  }

  func run(_ backend: any Backend, _ input: Input, products: Weight.Products = .f32) -> Result {
    var numbers = Numbers(9)
    let out = numbers.matrix(queries, heads * headSize, padding: 4)
    let logSumExp = numbers.matrix(queries, heads, padding: 1)
    backend.attention(
      q: input.q, k: input.k, v: input.v, segments: segments, heads: heads, kvHeads: kvHeads, products: products,
      into: out, logSumExp: logSumExp)
    let dq = numbers.matrix(queries, heads * headSize, padding: 6)
    let dk = numbers.matrix(keys, kvHeads * headSize, padding: 2)
    let dv = numbers.matrix(keys, kvHeads * headSize, padding: 7)
    backend.attentionBackward(
      dOut: input.dOut, q: input.q, k: input.k, v: input.v, out: out, logSumExp: logSumExp, segments: segments,
      heads: heads, kvHeads: kvHeads, products: products, dq: dq, dk: dk, dv: dv)
    return Result(out: out, logSumExp: logSumExp, dq: dq, dk: dk, dv: dv)
  }

  static let all: [AttentionCase] = [
    AttentionCase(name: "one token", queries: 1, keys: 1, segments: [.init(queryRows: 0..<1, keyRows: [0..<1])]),
    AttentionCase(name: "three tokens", queries: 3, keys: 3, segments: [.init(queryRows: 0..<3, keyRows: [0..<3])]),
    AttentionCase(
      name: "packed rows of 17, 64 and 130", queries: 211, keys: 211,
      segments: [
        .init(queryRows: 0..<17, keyRows: [0..<17]), .init(queryRows: 17..<81, keyRows: [17..<81]),
        .init(queryRows: 81..<211, keyRows: [81..<211]),
      ]),
    AttentionCase(
      name: "a long row", heads: 2, kvHeads: 1, headSize: 6, queries: 300, keys: 300,
      segments: [.init(queryRows: 0..<300, keyRows: [0..<300])]),
    AttentionCase(
      name: "a shared prefix of 20", heads: 6, kvHeads: 2, headSize: 16, queries: 95, keys: 95,
      segments: [
        .init(queryRows: 0..<20, keyRows: [0..<20]), .init(queryRows: 20..<50, keyRows: [0..<20, 20..<50]),
        .init(queryRows: 50..<94, keyRows: [0..<20, 50..<94]), .init(queryRows: 94..<95, keyRows: [0..<20, 94..<95]),
      ]),
    AttentionCase(
      name: "decoding with caches", heads: 14, kvHeads: 2, headSize: 64, queries: 3, keys: 700,
      segments: [
        .init(queryRows: 0..<1, keyRows: [0..<333]), .init(queryRows: 1..<2, keyRows: [400..<401]),
        .init(queryRows: 2..<3, keyRows: [500..<700, 340..<400]),
      ]),
    AttentionCase(
      name: "a chunk of queries after a cache", heads: 3, kvHeads: 3, headSize: 10, queries: 40, keys: 150,
      segments: [.init(queryRows: 0..<40, keyRows: [5..<101, 110..<150])]),
    AttentionCase(
      name: "rows in no segment", queries: 30, keys: 30,
      segments: [.init(queryRows: 3..<9, keyRows: [3..<9]), .init(queryRows: 12..<29, keyRows: [12..<29])]),
    AttentionCase(
      name: "head size 128, one kv head", heads: 5, kvHeads: 1, headSize: 128, queries: 70, keys: 70,
      segments: [.init(queryRows: 0..<70, keyRows: [0..<70])]),
    AttentionCase(
      name: "sharp scores", queries: 80, keys: 80, segments: [.init(queryRows: 0..<80, keyRows: [0..<80])], scale: 6),
  ]
}

@Suite struct AttentionTests {
  @Test(arguments: AttentionCase.all) func equalsTheReference(problem: AttentionCase) {
    let input = problem.input()
    let expected = problem.run(reference, input)
    let tolerance = 3e-5 * problem.scale * problem.scale
    for backend in backends {
      let result = problem.run(backend, input)
      #expect(difference(result.out, expected.out) < 1e-5 * problem.scale)
      #expect(difference(result.logSumExp, expected.logSumExp) < tolerance)
      #expect(difference(result.dq, expected.dq) < tolerance)
      #expect(difference(result.dk, expected.dk) < tolerance)
      #expect(difference(result.dv, expected.dv) < tolerance)
      for matrix in [result.out, result.logSumExp, result.dq, result.dk, result.dv] {
        #expect(paddingIsUntouched(matrix))
      }
      let again = problem.run(backend, input)
      #expect(sameBits(result.out, again.out) && sameBits(result.dq, again.dq))
      #expect(sameBits(result.dk, again.dk) && sameBits(result.dv, again.dv))
    }
  }

  /// Of q, k and v in bfloat16, with every product's factors rounded to it: the probabilities and their gradients keep eight bits.
  @Test(arguments: AttentionCase.all) func roundedProductsStayNearTheReference(problem: AttentionCase) {
    let input = problem.input()
    for matrix in [input.q, input.k, input.v, input.dOut] {
      let rounded = BFloat16Matrix(matrix.rows, matrix.columns)
      reference.narrow(matrix, into: rounded)
      reference.widen(rounded, into: matrix)
    }
    let expected = problem.run(reference, input)
    for backend in backends {
      let result = problem.run(backend, input, products: .bf16)
      #expect(difference(result.logSumExp, expected.logSumExp) < 3e-5 * problem.scale * problem.scale)
      for (ours, theirs) in [
        (result.out, expected.out), (result.dq, expected.dq), (result.dk, expected.dk), (result.dv, expected.dv),
      ] {
        let largest = theirs.elements.map(abs).max() ?? 0
        #expect(difference(ours, theirs) <= 0.01 * largest)
        #expect(paddingIsUntouched(ours))
      }
      let isRounded = backend.bfloat16 == .panels && problem.queries > 1
      #expect(sameBits(result.out, problem.run(backend, input).out) != isRounded)
    }
    let one = problem.run(CPUBackend(threads: 1), input, products: .bf16)
    let four = problem.run(CPUBackend(threads: 4), input, products: .bf16)
    #expect(sameBits(one.out, four.out) && sameBits(one.dq, four.dq))
    #expect(sameBits(one.dk, four.dk) && sameBits(one.dv, four.dv))
  }

  /// A small problem with a shared prefix, a row in no segment and keys in two pieces.
  @Test func backwardIsTheSlopeOfForward() {
    let problem = AttentionCase(
      name: "", heads: 4, kvHeads: 2, headSize: 4, queries: 9, keys: 9,
      segments: [
        .init(queryRows: 0..<3, keyRows: [0..<3]), .init(queryRows: 3..<5, keyRows: [0..<3, 3..<5]),
        .init(queryRows: 5..<8, keyRows: [0..<3, 5..<8]),
      ])
    let input = problem.input()
    func loss() -> Double {
      let out = Matrix(9, 16)
      reference.attention(
        q: input.q, k: input.k, v: input.v, segments: problem.segments, heads: 4, kvHeads: 2, products: .f32, into: out,
        logSumExp: nil)
      return weighted(out, input.dOut)
    }
    for backend in backends as [any Backend] + [reference] {
      let result = problem.run(backend, input)
      expectSlope(result.dq, of: input.q, loss)
      expectSlope(result.dk, of: input.k, loss)
      expectSlope(result.dv, of: input.v, loss)
    }
  }

  @Test func aRowDoesNotDependOnItsNeighbours() {
    let problem = AttentionCase.all[2]
    let input = problem.input()
    let alone = AttentionCase(
      name: "", queries: 64, keys: 64, segments: [.init(queryRows: 0..<64, keyRows: [0..<64])])
    let part = AttentionCase.Input(
      q: input.q.rows(17..<81), k: input.k.rows(17..<81), v: input.v.rows(17..<81), dOut: input.dOut.rows(17..<81))
    for backend in backends {
      let packed = problem.run(backend, input)
      let single = alone.run(backend, part)
      #expect(sameBits(packed.out.rows(17..<81), single.out))
      #expect(sameBits(packed.dq.rows(17..<81), single.dq))
      #expect(sameBits(packed.dk.rows(17..<81), single.dk))
      #expect(sameBits(packed.dv.rows(17..<81), single.dv))
    }
  }

  @Test func aTokenDoesNotDependOnLaterOnes() {
    let problem = AttentionCase.all[3]
    let input = problem.input()
    for backend in backends {
      let before = problem.run(backend, input).out
      let changed = problem.input()
      changed.k.rows(200..<300).fill(3)
      changed.v.rows(200..<300).fill(-2)
      let after = problem.run(backend, changed).out
      #expect(sameBits(before.rows(0..<200), after.rows(0..<200)))
      #expect(!sameBits(before.rows(200..<300), after.rows(200..<300)))
    }
  }

  @Test func aSharedPrefixEqualsItsCopies() {
    let shared = AttentionCase.all[4]
    let input = shared.input()
    // The second row of the case again, with the prefix's keys copied in front of its own.
    let rows = Array(0..<20) + Array(20..<50)
    let (k, v) = (input.k.gathering(rows), input.v.gathering(rows))
    for backend in backends {
      let expected = shared.run(backend, input).out.rows(20..<50)
      let out = Matrix(30, 96)
      backend.attention(
        q: input.q.rows(20..<50), k: k, v: v, segments: [.init(queryRows: 0..<30, keyRows: [0..<50])], heads: 6,
        kvHeads: 2, products: .f32, into: out, logSumExp: nil)
      #expect(sameBits(out, expected))
    }
  }

  /// What keeps two threads from adding to the same gradient rows.
  @Test func segmentsThatShareKeysStayTogether() {
    let keys: [[Range<Int>]] = [
      [0..<20], [0..<20, 30..<40], [50..<60], [60..<70], [100..<200], [120..<121], [39..<40, 71..<72], [150..<151],
      [55..<56, 300..<301], [],
    ]
    let segments = keys.map { AttentionSegment(queryRows: 0..<0, keyRows: $0) }
    let bundles = bundlesSharingKeys(segments).map { $0.map(\.keyRows) }
    #expect(bundles == [[0, 1, 6], [2, 8], [3], [4, 5, 7], [9]].map { $0.map { keys[$0] } })
  }

  @Test func theGradientsDoNotDependOnTheThreadCount() {
    for problem in AttentionCase.all {
      let input = problem.input()
      let one = problem.run(CPUBackend(threads: 1), input)
      let four = problem.run(CPUBackend(threads: 4), input)
      #expect(sameBits(one.out, four.out) && sameBits(one.dq, four.dq))
      #expect(sameBits(one.dk, four.dk) && sameBits(one.dv, four.dv))
    }
  }

  @Test func hugeScoresStayFinite() {
    var problem = AttentionCase.all[2]
    problem.scale = 100
    let input = problem.input()
    for backend in backends {
      let result = problem.run(backend, input)
      let expected = problem.run(reference, input)
      #expect(difference(result.out, expected.out) < 0.02)
      for matrix in [result.logSumExp, result.dq, result.dk, result.dv] {
        #expect(matrix.elements.allSatisfy { $0.isFinite })
      }
    }
  }
}
