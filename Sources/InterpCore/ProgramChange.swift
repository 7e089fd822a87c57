import CKernel
import ELF

/// The fields of the tables that describe an area, as their places in the entries (gABI, Elf64_Phdr, Elf64_Shdr).
private enum Field {
  /// p_offset, p_vaddr, p_paddr, p_filesz, p_memsz.
  static var placeOfSegment: (offset: UInt64, count: UInt64) { (8, 40) }
  /// p_filesz, p_memsz.
  static var sizesOfSegment: (offset: UInt64, count: UInt64) { (32, 16) }
  /// sh_addr, sh_offset, sh_size.
  static var placeOfSection: (offset: UInt64, count: UInt64) { (16, 24) }
  /// st_value itself.
  static var valueOfSymbol: (offset: UInt64, count: UInt64) { (0, 8) }
  static var segmentOffset: UInt64 { 8 }
  static var sectionOffset: UInt64 { 24 }
  static var sectionTable: UInt64 { 40 }
}

extension Program {
  /// What `apply` overwrites, for the record.
  func patches(for plan: Plan) -> [RecordBuilder.Patch] {
    var places = [(offset(ofSegment: interpreterIndex), Field.placeOfSegment)]
    if let segment = plan.segment {
      places.append((offset(ofSegment: segment), Field.sizesOfSegment))
      if let section = interpreterSection { places.append((offset(ofSection: section), Field.placeOfSection)) }
      places += interpreterSymbols.map { ($0, Field.valueOfSymbol) }
    }
    return places.map { entry, field in
      let offset = entry + field.offset
      return RecordBuilder.Patch(offset: offset, bytes: file.copy(at: offset, count: field.count) ?? [])
    }
  }

  /// The program with PT_INTERP (and the section that describes it) moved to `area`, as planned.
  func applying(_ plan: Plan, area: [UInt8]) -> [UInt8] {
    var result = file
    let size = UInt64(area.count)
    if plan.placement == .insertedPadding {
      Program.moveOffsets(&result, header, from: plan.offset, by: UInt64(plan.inserted))
    }
    var moved = interpreter
    moved.p_offset = plan.offset
    moved.p_filesz = size
    moved.p_memsz = size
    if let index = plan.segment {
      var host = segments[index]
      moved.p_vaddr = host.p_vaddr + host.p_memsz
      moved.p_paddr = host.p_paddr &+ host.p_memsz
      host.p_filesz += size
      host.p_memsz += size
      result.store(host, at: offset(ofSegment: index))
      if let section = interpreterSection, var entry = sections?[section] {
        entry.sh_addr = moved.p_vaddr
        entry.sh_offset = moved.p_offset
        entry.sh_size = size
        result.store(entry, at: offset(ofSection: section))
        for symbol in interpreterSymbols { result.store(moved.p_vaddr, at: symbol) }
      }
    }
    result.store(moved, at: offset(ofSegment: interpreterIndex))
    if plan.inserted > 0 { result.insertZeros(at: plan.offset, count: plan.inserted) }
    result.store(area, at: plan.offset)
    return result.bytes
  }

  /// Adds `difference` (modulo 2^64) to every offset in the file's tables from `start` on. The tables themselves
  /// are still at their old places.
  private static func moveOffsets(
    _ file: inout EditableBytes, _ header: Elf64_Ehdr, from start: UInt64, by difference: UInt64
  ) {
    var places = [Field.sectionTable]
    for index in 0..<UInt64(header.e_phnum) { places.append(header.e_phoff &+ index * 56 &+ Field.segmentOffset) }
    if header.e_shoff != 0 {
      for index in 0..<UInt64(header.e_shnum) { places.append(header.e_shoff &+ index * 64 &+ Field.sectionOffset) }
    }
    for place in places {
      guard let offset = file.load(UInt64.self, at: place), offset >= start else { continue }
      file.store(offset &+ difference, at: place)
    }
  }

  /// The file as it was before the change that `record` tells of; nil where that can't be had exactly, since the
  /// file was changed by something else in the meantime.
  func undoing(_ undo: InterpreterRecord.Undo) -> [UInt8]? {
    var result = file
    if undo.addedCount > 0 {
      guard undo.addedOffset <= UInt64(file.count) else { return nil }
      Program.moveOffsets(&result, header, from: undo.addedOffset + undo.addedCount, by: 0 &- undo.addedCount)
      guard result.remove(at: undo.addedOffset, count: undo.addedCount) else { return nil }
    } else {
      result.store([UInt8](repeating: 0, count: area.count), at: interpreter.p_offset)
    }
    var position: UInt64 = 0
    for _ in 0..<undo.patchCount {
      guard let offset = undo.patches.load(UInt64.self, at: position),
        let count = undo.patches.load(UInt32.self, at: position + 8),
        let bytes = undo.patches.slice(at: position + 12, count: UInt64(count)),
        result.store(bytes.copy(), at: offset)
      else { return nil }
      position += 12 + UInt64(count)
    }
    guard UInt64(result.count) == undo.originalSize,
      result.bytes.withELFBytes({ FNV1a.hash($0) }) == undo.originalHash
    else { return nil }
    return result.bytes
  }
}
