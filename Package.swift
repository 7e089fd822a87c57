// swift-tools-version: 6.1
import PackageDescription

/// The loader is one Embedded Swift module: its directory links to the sources of ELF, Bean and LoaderCore, so
/// the freestanding build optimises them as a whole, and the hosted tests compile the very same files.
let embedded: [SwiftSetting] = [
  .enableExperimentalFeature("Embedded"),
  .unsafeFlags([
    // Optimised in every configuration: the loader's contract (no fs:0x28, no traps it can avoid) is that of -O.
    "-O", "-wmo", "-enforce-exclusivity=unchecked",
    // The default reads the canary at fs:0x28 before there is a thread pointer.
    "-Xfrontend", "-disable-stack-protector",
    "-Xfrontend", "-function-sections",
  ]),
]

let freestandingLink: [LinkerSetting] = [
  .unsafeFlags([
    "-nostartfiles", "-use-ld=lld", "-Xclang-linker", "-nostdlib", "-Xclang-linker", "-pie",
    "-Xlinker", "--no-dynamic-linker", "-Xlinker", "--entry=_start", "-Xlinker", "-znow", "-Xlinker", "-ztext",
    // Two segments: each one costs every start a mapping, and pages at its borders.
    "-Xlinker", "-znoseparate-code", "-Xlinker", "--no-rosegment", "-Xlinker", "-znorelro",
    "-Xlinker", "--gc-sections",
    // What every start runs lies together (tools/startup-order): half the page faults on the loader's code.
    "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Sources/Loader/startup.order",
    "-Xlinker", "--no-warn-symbol-ordering",
    "-Xlinker", "-soname=ld-luci.so",
    // Debuggers find their breakpoint by this name, in a stripped loader too.
    "-Xlinker", "--export-dynamic-symbol=_dl_debug_state",
  ])
]

/// Where Luci is installed, and looks for its configuration: `LUCI_PREFIX=/usr/local/luci swift build`.
let prefix = Context.environment["LUCI_PREFIX"] ?? "/opt/luci"

let freestandingC: [CSetting] = [
  .define("LUCI_PREFIX", to: "\"\(prefix)\""),
  .unsafeFlags([
    "-ffreestanding", "-fno-builtin", "-fno-stack-protector", "-fvisibility=hidden", "-fPIC",
    "-fcf-protection=none", "-O2", "-ffunction-sections", "-Wall", "-Wextra",
  ])
]

let package = Package(
  name: "luci",
  products: [
    .executable(name: "ld-luci.so", targets: ["Loader"]),
    .executable(name: "setinterp", targets: ["setinterp"]),
    .executable(name: "luci", targets: ["luci"]),
    .executable(name: "bean", targets: ["BeanCommand"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
  ],
  targets: [
    // Kernel and ELF headers, system calls: header only, inlined into Swift.
    .systemLibrary(name: "CKernel"),
    // Entry stub, self relocation, run-time symbols: only the loader executable links it.
    .target(name: "CBoot", cSettings: freestandingC),
    // Reading ELF: one small file per concern.
    .target(name: "ELF", dependencies: ["CKernel"]),
    // What a binary means: functions, references, state, comparison, verdict.
    .target(name: "Bean", dependencies: ["ELF"]),
    // The loader in rooms.
    .target(name: "LoaderCore", dependencies: ["CKernel", "ELF", "Bean"]),
    // ld-luci.so itself.
    .executableTarget(
      name: "Loader", dependencies: ["CKernel", "CBoot"], exclude: ["startup.order"], swiftSettings: embedded,
      linkerSettings: freestandingLink),
    // Changing PT_INTERP of a file.
    .target(name: "InterpCore", dependencies: ["CKernel", "ELF"]),
    .systemLibrary(name: "CXattr"),
    // Putting new content in a file's place. Apart from what imports CKernel: kernel and C library headers both
    // define timespec.
    .target(
      name: "InterpFile",
      dependencies: ["CXattr", .product(name: "SystemPackage", package: "swift-system")]),
    .executableTarget(
      name: "setinterp",
      dependencies: [
        "InterpCore", "InterpFile",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ]),
    // Asking processes that run under Luci.
    .target(name: "LuciControl"),
    .executableTarget(
      name: "luci",
      dependencies: ["LuciControl", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    .testTarget(name: "LuciControlTests", dependencies: ["LuciControl"]),
    .testTarget(name: "SetinterpTests", dependencies: ["CXattr", "InterpCore", "InterpFile", "ELF", "setinterp"]),
    .testTarget(name: "ELFTests", dependencies: ["ELF"]),
    // The decoder's oracle in tests, and the text of instructions in the hosted tool. Debian has no .pc file for it:
    // the module map names the library.
    .systemLibrary(name: "CZydis", providers: [.apt(["libzydis-dev"])]),
    // What the command `bean` does. The target of the command itself can't be called bean: its files would lie beside
    // those of Bean where names that differ in case only are one.
    .target(name: "BeanTool", dependencies: ["Bean", "CZydis", "DebugLayout"]),
    .systemLibrary(name: "CElfutils", providers: [.apt(["libdw-dev"])]),
    // Debug information. Apart from what imports CKernel: both have their own elf.h.
    .target(name: "DebugLayout", dependencies: ["CElfutils"]),
    .executableTarget(
      name: "BeanCommand",
      dependencies: ["Bean", "BeanTool", .product(name: "ArgumentParser", package: "swift-argument-parser")]),
    .testTarget(name: "ToolTests", dependencies: ["BeanTool", "BeanCommand", "Bean", "DebugLayout"]),
    .testTarget(name: "BeanTests", dependencies: ["Bean", "CZydis"]),
    .testTarget(name: "LoaderCoreTests", dependencies: ["LoaderCore"]),
    // Runs real programs under the built loader; tools/test names it.
    .testTarget(name: "ScenarioTests", exclude: ["Programs"]),
  ]
)
