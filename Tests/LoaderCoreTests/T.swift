import LoaderCore
import Testing

@Suite struct T {
  @Test func placeholderUntilDecoder() { #expect(Bytes("x").count == 1) }
}
