import ELF
import Testing

@Suite struct HashTests {
  /// Values of the format's own examples: "printf" in DT_HASH and DT_GNU_HASH.
  @Test func knownHashes() {
    #expect(SymbolName.sysvHash(Bytes("printf")) == 0x0779_05a6)
    #expect(SymbolName.gnuHash(Bytes("printf")) == 0x156b_2bb8)
    #expect(SymbolName.gnuHash(.empty) == 5381)
  }
}
