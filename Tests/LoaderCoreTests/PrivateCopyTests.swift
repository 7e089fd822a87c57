import Glibc
import Testing

@testable import LoaderCore

@Suite struct PrivateCopyTests {
  let directory = TemporaryDirectory()

  @Test func contentStaysWhateverHappensToTheFile() throws {
    let content = String(repeating: "0123456789", count: 100_000)
    directory.write("lib.so", content)
    let copy = try PrivateCopy(of: directory.path("lib.so"))
    directory.write("lib.so", "short")
    directory.remove("lib.so")
    #expect(copy.bytes.copy() == Array(content.utf8))
    #expect(copy.status.size == 1_000_000)
    copy.closeDescriptor()
    #expect(copy.bytes[999_999] == 57)
  }

  @Test func sealed() throws {
    directory.write("lib.so", "abc")
    let copy = try PrivateCopy(of: directory.path("lib.so"))
    #expect(throws: Errno(EPERM)) { try copy.descriptor.write(Bytes("x")) }
    #expect(throws: Errno(EPERM)) { try copy.descriptor.truncate(to: 0) }
    let name = try Path("/proc/self/fd/\(copy.descriptor.number)").linkTarget()
    #expect(name.string == "/memfd:lib.so (deleted)")
    #expect(fcntl(copy.descriptor.number, F_GETFD) == FD_CLOEXEC)
  }

  @Test func refusals() throws {
    directory.makeFIFO("fifo")
    directory.makeDirectory("directory")
    directory.write("empty", "")
    directory.link("loop", to: "loop")
    directory.write("large", "12345")
    for (name, failure) in [
      ("fifo", CopyFailure.notRegular), ("directory", .notRegular), ("empty", .empty), ("loop", .open(Errno(ELOOP))),
      ("missing", .open(.noEntry)),
    ] {
      #expect(throws: failure) { try PrivateCopy(of: directory.path(name)) }
    }
    #expect(throws: CopyFailure.tooLarge) { try PrivateCopy(of: directory.path("large"), limit: 4) }
    #expect(throws: CopyFailure.notRegular) { try PrivateCopy(of: Path("/dev/zero")) }
    // A file of /proc has no size.
    #expect(throws: CopyFailure.empty) { try PrivateCopy(of: Path("/proc/self/maps")) }
  }

  @Test func isStillWhatItWas() throws {
    directory.write("lib.so", String(repeating: "x", count: 200_000))
    let path = directory.path("lib.so")
    let copy = try PrivateCopy(of: path)
    #expect(copy.isStill(at: path))
    directory.write("other", String(repeating: "x", count: 200_000))
    #expect(!copy.isStill(at: directory.path("other")))
    directory.remove("lib.so")
    #expect(!copy.isStill(at: path))
  }

  /// Memory that a file is mapped to changes the file, and its times only at the first write.
  @Test func changesBehindTheStatusAreSeen() throws {
    directory.write("lib.so", String(repeating: "x", count: 200_000))
    let file = open(directory.name + "/lib.so", O_RDWR)
    let memory = mmap(nil, 200_000, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)!
    defer {
      munmap(memory, 200_000)
      close(file)
    }
    memory.storeBytes(of: 1, toByteOffset: 150_000, as: UInt8.self)
    let copy = try PrivateCopy(of: directory.path("lib.so"))
    memory.storeBytes(of: 2, toByteOffset: 150_001, as: UInt8.self)
    #expect(try FileDescriptor.status(of: directory.path("lib.so")) == copy.status)
    #expect(!copy.isStill(at: directory.path("lib.so")))
  }

  @Test func longNames() throws {
    let name = String(repeating: "n", count: 255)
    directory.write(name, "x")
    #expect(try PrivateCopy(of: directory.path(name)).bytes.count == 1)
  }

  /// What kernels without sendfile(2) between these files do.
  @Test func throughABuffer() throws {
    directory.write("lib.so", String(repeating: "x", count: 200_000))
    let source = try FileDescriptor.open(directory.path("lib.so"))
    let memory = try FileDescriptor.inMemory(named: Path("x"))
    #expect(try PrivateCopy.copyThroughBuffer(source, to: memory, size: 200_000) == 200_000)
    #expect(try memory.status().size == 200_000)
    source.close()
    memory.close()
  }

  @Test func nothingStaysOpen() throws {
    directory.write("lib.so", "abc")
    var number: Int32 = 0
    do {
      let copy = try PrivateCopy(of: directory.path("lib.so"))
      number = copy.descriptor.number
    }
    let target = try? Path("/proc/self/fd/\(number)").linkTarget()
    #expect(target?.string != "/memfd:lib.so (deleted)")
  }
}
