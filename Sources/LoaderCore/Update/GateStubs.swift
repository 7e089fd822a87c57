/// Stubs that stand before functions while an update waits for a program thread.
///
/// A stub is a jump through a word, which at first leads on into the stub, to the gate; later straight to the function
/// that was decided on. Stubs are never given back, since a thread may be inside one at any time, and the program may keep
/// the address that it has read from a slot. The same slot gets the same one again, if it leads there still.
final class GateStubs {
  private var pages: [UInt64] = []
  private(set) var count: UInt64 = 0

  static var stubSize: UInt64 { 32 }
  static var stubsPerPage: UInt64 { Segments.pageSize / stubSize }

  private var bySlot: [UInt64: UInt64] = [:]

  /// The index of the stub for a slot that leads to `function`, which leads to the gate from now on; nil without memory.
  func open(_ slot: UInt64, _ function: UInt64, gate: UInt64) -> UInt64? {
    if let index = bySlot[slot], decision(index) == function {
      ProcessMemory.store(function, at: originalSlot(index))
      ProcessMemory.storeAtomically(entry(index) + 6, at: decisionSlot(index))
      return index
    }
    let index = make(for: function, gate: gate)
    if let index { bySlot[slot] = index }
    return index
  }

  private func make(for function: UInt64, gate: UInt64) -> UInt64? {
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

  /// Where a word leads to that holds `address`: a stub's address leads to what calls of the stub go on with.
  func target(of address: UInt64) -> UInt64 {
    for (number, page) in pages.enumerated() where address >= page && address - page < Segments.pageSize {
      let index = UInt64(number) * GateStubs.stubsPerPage + (address - page) / GateStubs.stubSize
      return index < count && entry(index) == address ? decision(index) : address
    }
    return address
  }

  /// Stubs that were decided on earlier: somebody may have kept their addresses, or wait at a gate.
  func follow(_ pair: NewVersion) {
    for index in 0..<count {
      let function = ProcessMemory.load(UInt64.self, at: decisionSlot(index))
      guard pair.old.contains(function), let match = pair.verdict.newFunction(for: function &- pair.old.bias) else {
        continue
      }
      decide(index, pair.object.bias &+ match.new)
    }
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
