// In the freestanding loader all modules are one (see Package.swift), and there is nothing to import.
#if !hasFeature(Embedded)
  @_exported import Bean
  @_exported import ELF
#endif
