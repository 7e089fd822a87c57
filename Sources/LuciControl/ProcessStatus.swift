/// What a process under Luci says of itself (docs/luci.md).
public struct ProcessStatus: Codable, Equatable, Sendable {
  public var pid: Int
  public var program: String
  public var time: String
  /// CLOCK_MONOTONIC at that time.
  public var clock: Int?
  public var paused: Bool
  public var detection: String
  public var stale: Staleness
  public var objects: [ObjectStatus]

  enum CodingKeys: String, CodingKey {
    case pid, program, time, paused, detection, stale, objects
    case clock = "clock_ns"
  }

  public init(
    pid: Int, program: String, time: String, paused: Bool, detection: String, stale: Staleness,
    objects: [ObjectStatus]
  ) {
    self.pid = pid
    self.program = program
    self.time = time
    self.paused = paused
    self.detection = detection
    self.stale = stale
    self.objects = objects
  }
}

/// Whether old code still runs.
public enum Staleness: String, Codable, Equatable, Sendable {
  case no, yes, unknown
}

/// One shared object of a process.
public struct ObjectStatus: Codable, Equatable, Sendable {
  public var object: String
  public var path: String
  /// The current version, counted from 1, and how many were mapped.
  public var version: Int
  public var versions: Int
  /// When the current version was taken; nil: at start.
  public var since: String?
  /// An update waits, and what for.
  public var pending: Bool
  public var waitsFor: String?
  /// Why the file that is there now was not taken.
  public var refused: Refusal?
  public var stale: Staleness
  public var outdated: [OutdatedStatus]?

  enum CodingKeys: String, CodingKey {
    case object, path, version, versions, since, pending, refused, stale, outdated
    case waitsFor = "waits_for"
  }

  /// Something an operator may want to look at.
  public var needsAttention: Bool { pending || refused != nil || stale != .no }
}

public struct Refusal: Codable, Equatable, Sendable {
  public var reason: String
  public var code: String
  public var cause: String?
  public var detail: String?
  public var time: String
}

/// A version that is no longer current.
public struct OutdatedStatus: Codable, Equatable, Sendable {
  public var version: Int
  /// in-use, quiet, retired, unknown.
  public var state: String
  public var obstacle: String?
  public var unusedMilliseconds: Int?
  /// A thread whose stack leads back into it.
  public var thread: Int?
  /// What stands in the way of saying that it is no longer in use.
  public var waitsFor: String?
  public var uses: Int
  public var lastUse: String?
  public var lastFunction: String?

  enum CodingKeys: String, CodingKey {
    case version, state, obstacle, thread, uses
    case waitsFor = "waits_for"
    case unusedMilliseconds = "unused_ms"
    case lastUse = "last_use"
    case lastFunction = "last_function"
  }
}

extension ProcessStatus {
  public var needsAttention: Bool { stale != .no || objects.contains { $0.needsAttention } }
  public var updatedCount: Int { objects.count { $0.versions > 1 } }
  public var pendingCount: Int { objects.count { $0.pending } }
  public var refusedCount: Int { objects.count { $0.refused != nil } }

  /// Only the objects of that name or path.
  public func limited(to object: String) -> ProcessStatus {
    var result = self
    result.objects = objects.filter { $0.object == object || $0.path == object }
    return result
  }
}
