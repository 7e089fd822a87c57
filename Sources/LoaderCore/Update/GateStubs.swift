/// Stubs that stand before functions while an update waits for a program thread.
///
/// A stub is a jump through a word, which at first leads on into the stub, to the gate; later straight to the function
/// that was decided on. Stubs are never used twice: a thread may be inside one at any time.
final class GateStubs {
  private var pages: [UInt64] = []
  private(set) var count: UInt64 = 0

  static var stubSize: UInt64 { 32 }
  static var stubsPerPage: UInt64 { Segments.pageSize / stubSize }

  /// Puts up a stub for `function`; returns its index, or nil without memory.
  func make(for function: UInt64, gate: UInt64) -> UInt64? {
    if count == UInt64(pages.count) * GateStubs.stubsPerPage {
      guard let page = GateStubs.makePage(firstIndex: count, gate: gate) else { return nil }
      pages.append(page)
    }
    let index = count
    count += 1
    ProcessMemory.store(function, at: originalSlot(index))
    return index
  }

  func entry(_ index: UInt64) -> UInt64 {
    pages[Int(index / GateStubs.stubsPerPage)] + index % GateStubs.stubsPerPage * GateStubs.stubSize
  }

  /// The word that the stub jumps through, in the page behind the code; behind all of them the original functions.
  private func decisionSlot(_ index: UInt64) -> UInt64 {
    pages[Int(index / GateStubs.stubsPerPage)] + Segments.pageSize + index % GateStubs.stubsPerPage * 8
  }

  private func originalSlot(_ index: UInt64) -> UInt64 { decisionSlot(index) + GateStubs.stubsPerPage * 8 }

  func original(_ index: UInt64) -> UInt64 { ProcessMemory.load(UInt64.self, at: originalSlot(index)) }

  /// What a call of the stub goes on with.
  func decision(_ index: UInt64) -> UInt64 {
    let value = ProcessMemory.load(UInt64.self, at: decisionSlot(index))
    return value == entry(index) + 6 ? original(index) : value
  }

  func decide(_ index: UInt64, _ function: UInt64) {
    ProcessMemory.storeAtomically(function, at: decisionSlot(index))
  }

  /// The stub leads to the gate again.
  func reopen(_ index: UInt64) {
    ProcessMemory.storeAtomically(entry(index) + 6, at: decisionSlot(index))
  }

  private static func makePage(firstIndex: UInt64, gate: UInt64) -> UInt64? {
    guard let page = try? Mapping.anonymous(2 * Segments.pageSize, .readWrite) else { return nil }
    let gateSlot = page + 2 * Segments.pageSize - 8
    ProcessMemory.store(gate, at: gateSlot)
    for number in 0..<stubsPerPage {
      let entry = page + number * stubSize
      let slot = page + Segments.pageSize + number * 8
      // jmp *slot(%rip); push $index; jmp *gateSlot(%rip)
      ProcessMemory.store(UInt16(0x25ff), at: entry)
      ProcessMemory.store(UInt32(truncatingIfNeeded: slot - (entry + 6)), at: entry + 2)
      ProcessMemory.store(UInt8(0x68), at: entry + 6)
      ProcessMemory.store(UInt32(truncatingIfNeeded: firstIndex + number), at: entry + 7)
      ProcessMemory.store(UInt16(0x25ff), at: entry + 11)
      ProcessMemory.store(UInt32(truncatingIfNeeded: gateSlot - (entry + 17)), at: entry + 13)
      ProcessMemory.store(entry + 6, at: slot)
    }
    guard (try? Mapping.protect(page, Segments.pageSize, [.read, .execute])) != nil else { return nil }
    return page
  }
}
