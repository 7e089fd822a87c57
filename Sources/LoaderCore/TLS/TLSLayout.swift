/// The one thread-local segment of the whole program (DESIGN, section 2, step 3).
///
/// All PT_TLS of the program's objects lie in one block per thread, below the thread pointer (variant II of the
/// ELF TLS specification): the executable's nearest to it, as its code was linked for, the others below, then a
/// reserve for objects that are opened later. The C library knows this block as module 1.
public struct TLSLayout {
  /// Kept for objects that dlopen brings with static TLS; glibc keeps a surplus of about this size.
  static var reserve: UInt64 { 2048 }
  static var minimumAlignment: UInt64 { 64 }
  /// Luci's own words for each thread lie at the start of the segment: the text of the last dlerror, whether it was
  /// told, and the table of blocks (TLSModules). The C library sets them to zero for each new thread.
  static var ownWords: UInt64 { 32 }
  /// Offset of the table's word; known to tls.S.
  static var tableWord: UInt64 { 16 }

  public private(set) var alignment: UInt64 = TLSLayout.minimumAlignment
  /// Bytes below the thread pointer that are given away so far.
  private var used: UInt64 = 0
  private var placed: [(object: LoadedObject, distance: UInt64)] = []
  /// Size of the merged segment, a multiple of `alignment`; 0 before `finish`.
  public private(set) var size: UInt64 = 0

  public init() {}

  /// Gives `object` its place. The executable comes first.
  public mutating func add(_ object: LoadedObject) {
    guard let segment = object.segments.tls, segment.memorySize > 0 else { return }
    alignment = max(alignment, segment.alignment)
    let mask = segment.alignment - 1
    used = (used + segment.memorySize + mask) & ~mask
    placed.append((object, used))
  }

  /// Fixes the size and with it every object's offset.
  public mutating func finish() {
    size = (used + TLSLayout.reserve + TLSLayout.ownWords + alignment - 1) & ~(alignment - 1)
    for (object, distance) in placed { object.tlsOffset = size - distance }
    placed = []
  }

  /// Takes part of the reserve for an object that is opened later; nil when it is used up.
  public mutating func takeReserve(for segment: TLSSegment) -> UInt64? {
    guard segment.alignment <= alignment else { return nil }
    let mask = segment.alignment - 1
    let distance = (used + segment.memorySize + mask) & ~mask
    guard distance <= size - TLSLayout.ownWords else { return nil }
    used = distance
    return size - distance
  }

  /// What has to be added to an offset in the segment to get the distance from the thread pointer.
  public var threadPointerBase: UInt64 { 0 &- size }
}
