import CKernel
import ELF

/// Where the path of the new interpreter and the record of the old one go.
public enum Placement: Equatable, Sendable {
  /// The file has this interpreter already.
  case unchanged
  /// It is the original: the file is as it was before the first change.
  case restored
  /// Over the old path; nothing else changes.
  case inPlace
  /// Into unused zeros between a read-only segment's end and its page's end: the file keeps its size and the
  /// process its memory layout, all tables stay where they are.
  case padding
  /// The same, where the linker left no such zeros in the file: they are inserted, and what lies behind moves by
  /// whole pages of the file, at the same addresses.
  case insertedPadding
  /// Behind everything, found by the offset of PT_INTERP, which is what the kernel uses. For files whose content
  /// must not move because there is something behind the ELF image, and for layouts without a suitable segment.
  /// The address of PT_INTERP goes on to lead to the old path.
  case appended
}

/// One way to place an area of a given size in a program.
struct Plan {
  let placement: Placement
  /// Offset of the area in the changed file.
  let offset: UInt64
  /// The loadable segment that is extended by the area; nil: none.
  var segment: Int?
  /// Bytes that are inserted at `offset`.
  var inserted = 0
}

extension Program {
  /// Segments whose last page may take the area: read-only ones first, then code.
  private var hosts: [Int] {
    let candidates = segments.indices.filter {
      let flags = segments[$0].p_flags
      return segments[$0].p_type == UInt32(PT_LOAD) && flags & UInt32(PF_W) == 0 && flags & UInt32(PF_R) != 0
        && segments[$0].p_filesz == segments[$0].p_memsz && segments[$0].p_filesz > 0
    }
    let sorted =
      candidates.filter { segments[$0].p_flags & UInt32(PF_X) == 0 }
      + candidates.filter { segments[$0].p_flags & UInt32(PF_X) != 0 }
    // Linkers make two or three; thousands would only cost time.
    return Array(sorted.prefix(8))
  }

  /// Bytes from the end of a segment to the end of its last page in memory. Another segment never starts there:
  /// `Segments` refuses two in one page.
  private func tail(of segment: Elf64_Phdr) -> UInt64 {
    let mask = Segments.pageSize - 1
    return (Segments.pageSize - ((segment.p_vaddr + segment.p_memsz) & mask)) & mask
  }

  /// Zeros in the file that belong to nothing, bounded by a later segment: what lies behind the last one may be
  /// data that somebody appended.
  func paddingPlan(size: Int) -> Plan? {
    guard sections != nil else { return nil }
    let used = usedRanges
    for index in hosts where tail(of: segments[index]) >= UInt64(size) {
      let start = segments[index].p_offset + segments[index].p_filesz
      let range = AddressRange(start: start, count: UInt64(size))
      guard !used.contains(where: { $0.overlaps(range) }),
        segments.contains(where: { $0.p_type == UInt32(PT_LOAD) && $0.p_offset >= range.end }),
        let bytes = file.copy(at: start, count: UInt64(size)), bytes.allSatisfy({ $0 == 0 })
      else { continue }
      return Plan(placement: .padding, offset: start, segment: index)
    }
    return nil
  }

  /// Nothing lies behind the image, and every offset is in a table that can be edited.
  private var mayMove: Bool {
    guard sections?.isEmpty == false else { return false }
    return usedRanges.contains { $0.end == UInt64(file.count) }
  }

  func insertionPlan(size: Int) -> Plan? {
    guard mayMove else { return nil }
    let used = usedRanges
    for index in hosts where tail(of: segments[index]) >= UInt64(size) {
      let start = segments[index].p_offset + segments[index].p_filesz
      // The kernel before 5.18 computes AT_PHDR from e_phoff: the program headers stay where they are.
      guard header.e_phoff < start, !used.contains(where: { $0.start < start && $0.end > start }) else { continue }
      let moved = segments.filter { $0.p_offset >= start }
      let alignment = moved.reduce(Segments.pageSize) { max($0, $1.p_align) }
      guard alignment <= 1 << 21, alignment & (alignment - 1) == 0 else { continue }
      let inserted = (UInt64(size) + alignment - 1) & ~(alignment - 1)
      return Plan(placement: .insertedPadding, offset: start, segment: index, inserted: Int(inserted))
    }
    return nil
  }

  func appendingPlan(size: Int) -> Plan {
    Plan(placement: .appended, offset: UInt64(file.count), inserted: size)
  }
}
