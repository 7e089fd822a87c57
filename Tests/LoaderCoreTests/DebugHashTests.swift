import Testing

@testable import LoaderCore

@Suite struct DebugHashTests {
  @Test func addresses() {
    #expect(DebugHashAddress(Bytes("unix:/run/x"))?.bytes == [1, 0] + Array("/run/x".utf8) + [0])
    let four = DebugHashAddress(Bytes("udp:127.0.0.1:80"))
    #expect(four?.bytes == [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(four?.isDatagram == true)
    #expect(DebugHashAddress(Bytes("tcp:localhost:258"))?.bytes.prefix(8) == [2, 0, 1, 2, 127, 0, 0, 1])
    let six = DebugHashAddress(Bytes("tcp:[fe80::1:A0]:1"))
    let expected: [UInt8] = [
      10, 0, 0, 1, 0, 0, 0, 0, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0xa0, 0, 0, 0, 0,
    ]
    #expect(six?.bytes == expected)
    #expect(DebugHashAddress(Bytes("tcp:[::]:1"))?.bytes.count == 28)
    #expect(DebugHashAddress(Bytes("tcp:[1:2:3:4:5:6:7:8]:1")) != nil)
  }

  @Test(arguments: [
    "", "unix:", "unix:relative", "tcp:host:80", "tcp:127.0.0.1", "tcp:127.0.0.1:0", "tcp:127.0.0.1:65536",
    "tcp:1.2.3:4",
    "tcp:1.2.3.256:4", "tcp:1.2.3.4.5:4", "tcp:[]:1", "tcp:[:]:1", "tcp:[1]:1", "tcp:[::1::2]:1", "tcp:[12345::]:1",
    "tcp:[1:2:3:4:5:6:7:8:9]:1", "tcp:[1:2:3:4:5:6:7:]:1", "tcp:[:1::]:1", "http:1.2.3.4:5",
  ])
  func wrongAddresses(_ text: String) {
    Array(text.utf8).withUnsafeBytes { #expect(DebugHashAddress(Bytes($0)) == nil) }
  }

  @Test func judgement() {
    #expect(DebugHashQuery.judge(Bytes("hash ab\nhash ab\n")) == .same)
    #expect(DebugHashQuery.judge(Bytes("hash ab\nhash ac\n")) == .different)
    for text: StaticString in ["hash ab\nunknown\n", "hash ab\n", "", "\n\n", "hash \nhash \n", "ok\nok\n"] {
      #expect(DebugHashQuery.judge(Bytes(text)) == .unknown)
    }
  }
}
