// libFuzzer target: two files are compared in every way. Build and run with `tools/fuzz FuzzFilePair`.

/// The input is an old and a new version behind each other. Its last byte chooses how: cut at a place that the four
/// bytes before say; or the same file twice, with one byte changed in the second.
///
/// A trap, a bad access, too much memory or time is a finding; so is a file that differs from itself.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzFilePair(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  guard let data, size > 6 else { return 0 }
  let all = Bytes(start: UnsafeRawPointer(data), count: size)
  let place = Int(all.load(UInt32.self, at: size &- 5) ?? 0) % size
  let content = size &- 5
  guard let whole = all.slice(at: 0, count: UInt64(content)) else { return 0 }
  if all[size &- 1] & 1 == 0 {
    guard place < content, let head = whole.slice(at: 0, count: UInt64(place)),
      let tail = whole.suffix(from: UInt64(place))
    else { return 0 }
    return compare(head, tail, isSame: false)
  }
  var changed = whole.copy()
  let isSame = all[size &- 1] & 2 == 0
  if !isSame, place < content { changed[place] ^= all[size &- 1] }
  return changed.withUnsafeBytes { compare(whole, Bytes($0), isSame: isSame) }
}

private func compare(_ left: Bytes, _ right: Bytes, isSame: Bool) -> CInt {
  do throws(ELFError) {
    let old = try Binary(left)
    let new = try Binary(right, like: old)
    checkCode(new.code, try Binary(right).code)
    let verdict = Bean.compare(old: old, new: new)
    var text = Text()
    text.append(verdict)
    text.append(json: verdict)
    // The options say, how items are made, all in one of the last bits.
    var options = ItemOptions()
    options.resolves = left.count & 1 != 0
    options.rebuilds = left.count & 2 != 0
    options.keepsEmpty = left.count & 4 != 0
    let (a, b) = (ItemTable(old, options), ItemTable(new, options))
    let hashes = (DependencyHash(a), DependencyHash(b))
    let changes = ItemComparison(a, b).changes()
    let mirrored = ItemComparison(b, a).changes()
    if isSame { precondition(hashes.0.hashes == hashes.1.hashes) }
    if isSame { for change in changes { precondition(change.kind == .equal) } }
    return changes.count &+ mirrored.count == -1 ? -1 : 0
  } catch { return 0 }
}

/// What was taken over from another version is what decoding finds.
private func checkCode(_ copied: CodeTable, _ plain: CodeTable) {
  precondition(copied.functions.count == plain.functions.count && copied.references.count == plain.references.count)
  for (a, b) in zip(copied.functions, plain.functions) {
    precondition(a.range == b.range && a.hash == b.hash && a.isDecoded == b.isDecoded)
    precondition(a.end - a.first == b.end - b.first)
    for (x, y) in zip(copied.references[a.first..<a.end], plain.references[b.first..<b.end]) {
      precondition(x.field == y.field && x.target == y.target && x.kind == y.kind && x.size == y.size)
    }
  }
}
