import Bean
import Testing

@Suite struct BeanTests {
  @Test func placeholderUntilDecoder() { #expect(Bytes("x").count == 1) }
}
