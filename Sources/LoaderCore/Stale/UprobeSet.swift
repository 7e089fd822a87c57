import CKernel

/// Entries of functions, told by the kernel (perf_event_open(2) with the PMU `uprobe`). Needs CAP_PERFMON. Each
/// function takes an event per processor; all of one processor write to one ring.
final class UprobeSet {
  struct Hit {
    let address: UInt64
    let thread: Int32
  }

  private final class Processor {
    let number: Int
    var events: [FileDescriptor] = []
    var ring: UInt64 = 0

    init(_ number: Int) { self.number = number }
  }

  private let type: UInt32
  private var processors: [Processor] = []
  /// How many functions there is room for.
  let capacity: Int

  /// There were more calls than the rings took, perhaps of a forked child.
  private var hasLost = false

  private static var dataPages: UInt64 { 16 }
  private static var ringSize: UInt64 { (1 + dataPages) * Segments.pageSize }
  /// PERF_ATTR_SIZE_VER1.
  private static var attributeSize: Int { 72 }
  private static var largest: UInt64 { 2048 }

  /// ENOENT: the kernel has no uprobes.
  init() throws(Errno) {
    let text = try FileDescriptor.textOfProcess("/sys/bus/event_source/devices/uprobe/type")
    guard let number = text.withUnsafeBytes({ UprobeSet.numbers(Bytes($0)).first }) else { throw Errno.noEntry }
    type = UInt32(truncatingIfNeeded: number)
    let online = try FileDescriptor.textOfProcess("/sys/devices/system/cpu/online")
    processors = online.withUnsafeBytes { UprobeSet.processors(Bytes($0)) }.map { Processor($0) }
    // struct rlimit64 of RLIMIT_NOFILE: half of it is for others.
    var limits: (UInt64, UInt64) = (0, 0)
    _ = withUnsafeMutablePointer(to: &limits) {
      luci_syscall4(Int(__NR_prlimit64), 0, 7, 0, Int(bitPattern: $0))
    }
    capacity = Int(min(limits.0 / 2, UprobeSet.largest)) / max(1, processors.count)
  }

  /// `0-3,8`.
  static func processors(_ text: Bytes) -> [Int] {
    var result: [Int] = []
    var first: Int?
    var value: Int?
    for index in 0...text.count {
      let byte = index < text.count ? text[index] : 10
      if (48...57).contains(byte) {
        value = min((value ?? 0) * 10 + Int(byte - 48), 1 << 16)
      } else if byte == 45 {
        first = value
        value = nil
      } else {
        if let last = value { for cpu in (first ?? last)...max(first ?? last, last) { result.append(cpu) } }
        first = nil
        value = nil
      }
    }
    return result
  }

  private static func numbers(_ text: Bytes) -> [UInt64] { processors(text).map { UInt64($0) } }

  /// Calls of what lies at an offset of the file that the path leads to.
  func add(_ path: Path, offset: UInt64) throws(Errno) {
    for processor in processors { try add(path, offset, processor) }
  }

  private func add(_ path: Path, _ offset: UInt64, _ processor: Processor) throws(Errno) {
    let number = try path.withCString { (name) throws(Errno) -> Int in
      // struct perf_event_attr: type and size; config; sample_period; sample_type (IP, TID); read_format; flags;
      // wakeup_events and bp_type; uprobe_path; probe_offset.
      var words: [UInt64] = [
        UInt64(type) | UInt64(UprobeSet.attributeSize) << 32, 0, 1, 3, 0, 0, 1, UInt64(UInt(bitPattern: name)),
        offset,
      ]
      return try check(
        words.withUnsafeMutableBytes {
          // PERF_FLAG_FD_CLOEXEC
          luci_syscall6(
            Int(__NR_perf_event_open), Int(bitPattern: $0.baseAddress), -1, processor.number, -1, 8, 0)
        })
    }
    let event = FileDescriptor(Int32(number))
    processor.events.append(event)
    if processor.ring == 0 {
      let ring = try check(
        luci_syscall6(
          Int(__NR_mmap), 0, Int(UprobeSet.ringSize), Int(PROT_READ | PROT_WRITE), Int(MAP_SHARED), number, 0))
      processor.ring = UInt64(UInt(bitPattern: ring))
    } else {
      // PERF_EVENT_IOC_SET_OUTPUT
      _ = try check(luci_syscall3(Int(__NR_ioctl), number, 0x2405, Int(processor.events[0].number)))
    }
  }

  /// What was called since, by threads of this process, and whether more was.
  func take() -> (hits: [Hit], isComplete: Bool) {
    var hits: [Hit] = []
    hasLost = false
    for processor in processors where processor.ring != 0 { take(processor.ring, &hits) }
    return (hits, !hasLost)
  }

  /// struct perf_event_mmap_page: data_head at 1024, data_tail at 1032; the data begin on the next page. Records are
  /// type, misc, size, then of a PERF_RECORD_SAMPLE the address, process and thread. All are multiples of 8.
  private func take(_ ring: UInt64, _ hits: inout [Hit]) {
    let size = UprobeSet.dataPages * Segments.pageSize
    let data = ring + Segments.pageSize
    let head = ProcessMemory.loadAtomically(at: ring + 1024)
    var tail = ProcessMemory.loadAtomically(at: ring + 1032)
    func word(_ position: UInt64) -> UInt64 { ProcessMemory.load(UInt64.self, at: data + position % size) }
    // A ring that is full has no room for what comes next, nor for the record that says so (type 2).
    if head - tail > size - 64 { hasLost = true }
    while tail < head {
      let header = word(tail)
      let length = header >> 48
      guard length >= 8, length <= size else { break }
      if UInt32(truncatingIfNeeded: header) == 2 { hasLost = true }
      if UInt32(truncatingIfNeeded: header) == 9, length >= 24 {
        let owner = word(tail + 16)
        if Int32(truncatingIfNeeded: owner) == CurrentThread.process {
          hits.append(Hit(address: word(tail + 8), thread: Int32(truncatingIfNeeded: owner >> 32)))
        }
      }
      tail += length
    }
    ProcessMemory.storeAtomically(head, at: ring + 1032)
  }

  func close() {
    for processor in processors {
      for event in processor.events { event.close() }
      if processor.ring != 0 { Mapping.unmap(processor.ring, UprobeSet.ringSize) }
    }
    processors = []
  }
}
