import CKernels

extension CPUBackend {
  public func attention(
    q: Matrix, k: Matrix, v: Matrix, segments: [AttentionSegment], heads: Int, kvHeads: Int,
    products: Weight.Products, into out: Matrix, logSumExp: Matrix?
  ) {
    let headSize = checkAttention(q: q, k: k, v: v, out: out, segments: segments, heads: heads, kvHeads: kvHeads)
    clearUncovered(out, logSumExp, segments)
    let jobs = segments.flatMap { SegmentJob.blocks(of: $0) }
    let group = heads / kvHeads
    let isRounded = products == .bf16 && bfloat16 == .panels
    let scratch = isRounded ? ck_attention_bf16_scratch : ck_attention_scratch
    let attend = isRounded ? ck_attention_bf16 : ck_attention
    threads.forEach(jobs.count * kvHeads) { task in
      let job = jobs[task / kvHeads]
      let head = task % kvHeads
      job.withBlock(q: q, k: k, v: v, head: head, group: group, headSize: headSize) { block in
        withScratch(scratch(block.pointee.queries, group, headSize)) { scratch in
          attend(
            block, scratch, out.pointer + head * group * headSize, out.stride,
            logSumExp.map { $0.pointer + head * group }, logSumExp?.stride ?? 0)
        }
      }
    }
  }

  public func attentionBackward(
    dOut: Matrix, q: Matrix, k: Matrix, v: Matrix, out: Matrix, logSumExp: Matrix, segments: [AttentionSegment],
    heads: Int, kvHeads: Int, products: Weight.Products, dq: Matrix, dk: Matrix, dv: Matrix
  ) {
    let headSize = checkAttention(q: q, k: k, v: v, out: out, segments: segments, heads: heads, kvHeads: kvHeads)
    precondition(dOut.hasShape(of: q) && dq.hasShape(of: q) && dk.hasShape(of: k) && dv.hasShape(of: v))
    precondition(logSumExp.rows == q.rows && logSumExp.columns == heads)
    for gradient in [dq, dk, dv] { eachRows(gradient) { gradient.rows($0).fill(0) } }
    // One task adds to the key rows of its segments and kv head alone, in order.
    let bundles = bundlesSharingKeys(segments).map { $0.flatMap { SegmentJob.blocks(of: $0) } }
    let group = heads / kvHeads
    let isRounded = products == .bf16 && bfloat16 == .panels
    let scratch = isRounded ? ck_attention_bf16_backward_scratch : ck_attention_backward_scratch
    let attendBackward = isRounded ? ck_attention_bf16_backward : ck_attention_backward
    threads.forEach(bundles.count * kvHeads) { task in
      let head = task % kvHeads
      let first = head * group * headSize
      let kvFirst = head * headSize
      for job in bundles[task / kvHeads] {
        job.withBlock(q: q, k: k, v: v, head: head, group: group, headSize: headSize) { block in
          withScratch(scratch(block.pointee.queries, group, headSize)) { scratch in
            attendBackward(
              block, scratch, dOut.pointer + first, dOut.stride, out.pointer + first, out.stride,
              logSumExp.pointer + head * group, logSumExp.stride, dq.pointer + first, dq.stride, dk.pointer + kvFirst,
              dk.stride, dv.pointer + kvFirst, dv.stride)
          }
        }
      }
    }
  }

  /// Zeros for the query rows that no segment names.
  private func clearUncovered(_ out: Matrix, _ logSumExp: Matrix?, _ segments: [AttentionSegment]) {
    var covered = [Bool](repeating: false, count: out.rows)
    for segment in segments {
      for row in segment.queryRows { covered[row] = true }
    }
    for (row, isCovered) in covered.enumerated() where !isCovered {
      out.rows(row..<row + 1).fill(0)
      logSumExp?.rows(row..<row + 1).fill(0)
    }
  }

  private func withScratch(_ floats: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: floats * 4, alignment: 64)
    defer { scratch.deallocate() }
    body(scratch.bindMemory(to: Float.self, capacity: floats))
  }
}

/// At most 32 query rows of a segment, and the keys of the whole segment.
private struct SegmentJob {
  let firstQuery: Int
  let queries: Int
  /// The keys the first query sees.
  let visible: Int
  let keyRows: [Int32]

  static func blocks(of segment: AttentionSegment) -> [SegmentJob] {
    let keys = segment.keyRows.flatMap { $0.map { Int32($0) } }
    let rows = segment.queryRows
    let size = Int(CK_QUERY_BLOCK)
    return stride(from: 0, to: rows.count, by: size).map { start in
      SegmentJob(
        firstQuery: rows.lowerBound + start, queries: min(size, rows.count - start),
        visible: keys.count - rows.count + start + 1, keyRows: keys)
    }
  }

  func withBlock(
    q: Matrix, k: Matrix, v: Matrix, head: Int, group: Int, headSize: Int,
    _ body: (UnsafePointer<ck_attention_block>) -> Void
  ) {
    keyRows.withUnsafeBufferPointer { rows in
      let block = ck_attention_block(
        queries: queries, first_query: firstQuery, visible: visible, group: group, head_size: headSize,
        key_rows: rows.baseAddress, q: q.pointer + head * group * headSize, k: k.pointer + head * headSize,
        v: v.pointer + head * headSize, q_stride: q.stride, k_stride: k.stride, v_stride: v.stride)
      withUnsafePointer(to: block, body)
    }
  }
}

/// The segments in bundles such that no key row belongs to two bundles; segments and bundles stay in order.
func bundlesSharingKeys(_ segments: [AttentionSegment]) -> [[AttentionSegment]] {
  var parent = Array(segments.indices)
  func root(_ index: Int) -> Int {
    var index = index
    while parent[index] != index { index = parent[index] }
    return index
  }
  let ranges = segments.enumerated()
    .flatMap { index, segment in segment.keyRows.filter { !$0.isEmpty }.map { (range: $0, segment: index) } }
    .sorted { ($0.range.lowerBound, $0.segment) < ($1.range.lowerBound, $1.segment) }
  var end = 0
  var last = 0
  for (range, segment) in ranges {
    if range.lowerBound < end {
      let (a, b) = (root(segment), root(last))
      parent[max(a, b)] = min(a, b)
    }
    if range.upperBound > end {
      end = range.upperBound
      last = segment
    }
  }
  var bundles: [[AttentionSegment]] = []
  var bundleOfRoot: [Int: Int] = [:]
  for (index, segment) in segments.enumerated() {
    let first = root(index)
    if let bundle = bundleOfRoot[first] {
      bundles[bundle].append(segment)
    } else {
      bundleOfRoot[first] = bundles.count
      bundles.append([segment])
    }
  }
  return bundles
}
