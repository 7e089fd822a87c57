import Bean
import Testing

@Suite struct FunctionMapTests {
  static let libraries = ["libc.so.6", "libstdc++.so.6", "libm.so.6", "libcrypto.so.3", "libgcc_s.so.1", "libz.so.1"]

  @Test(arguments: libraries) func coverage(_ name: String) throws {
    guard let bytes = TestFile.library(name) else { return }
    let map = try FunctionMap(ObjectFile(bytes))
    let sources: [FunctionSource] = [.unwind, .symbol, .plt, .initFini, .gap]
    print(
      name, map.functions.count, sources.map { "\($0) \(map.byteCount($0))" }, "padding", map.paddingByteCount,
      "undecoded",
      map.undecodedByteCount, map.undecoded.count, map.outsideSections.count)
    for run in map.undecoded.prefix(12) { print("  undecoded", String(run.start, radix: 16), run.count) }
  }
}
