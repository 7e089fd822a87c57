import CKernel

/// LD_SHOW_AUXV: the auxiliary vector in the form of glibc's loader (its _dl_show_auxv).
extension InitialStack {
  private enum Form { case decimal, hexadecimal, plainHexadecimal, string }

  /// Name and form by type; what is not here has a number for its name.
  private static func description(of type: UInt64) -> (StaticString, Form)? {
    switch type {
    case 2: ("EXECFD:            ", .decimal)
    case 3: ("PHDR:              ", .hexadecimal)
    case 4: ("PHENT:             ", .decimal)
    case 5: ("PHNUM:             ", .decimal)
    case 6: ("PAGESZ:            ", .decimal)
    case 7: ("BASE:              ", .hexadecimal)
    case 8: ("FLAGS:             ", .hexadecimal)
    case 9: ("ENTRY:             ", .hexadecimal)
    case 10: ("NOTELF:            ", .hexadecimal)
    case 11: ("UID:               ", .decimal)
    case 12: ("EUID:              ", .decimal)
    case 13: ("GID:               ", .decimal)
    case 14: ("EGID:              ", .decimal)
    case 15: ("PLATFORM:          ", .string)
    case 16: ("HWCAP:             ", .plainHexadecimal)
    case 17: ("CLKTCK:            ", .decimal)
    case 18: ("FPUCW:             ", .hexadecimal)
    case 23: ("SECURE:            ", .decimal)
    case 24: ("BASE_PLATFORM:     ", .string)
    case 25: ("RANDOM:            ", .hexadecimal)
    case 26: ("HWCAP2:            ", .hexadecimal)
    case 31: ("EXECFN:            ", .string)
    case 32: ("SYSINFO:           ", .hexadecimal)
    case 33: ("SYSINFO_EHDR:      ", .hexadecimal)
    case 51: ("MINSIGSTKSZ:       ", .decimal)
    default: nil
    }
  }

  /// LD_SHOW_ARGS: a line for each argument with its number.
  public var argumentText: Text {
    var text = Text()
    for (index, pointer) in arguments.enumerated() {
      text.append("ARGV[")
      text.append(decimal: UInt64(index))
      text.append("]: ")
      text.append(ProcessMemory.cString(at: pointer))
      text.append("\n")
    }
    return text
  }

  /// LD_SHOW_ENV.
  public var environmentText: Text {
    var text = Text()
    for pointer in environment {
      text.append(ProcessMemory.cString(at: pointer))
      text.append("\n")
    }
    return text
  }

  public var auxiliaryText: Text {
    var text = Text()
    for entry in auxiliary where entry.type > 1 {
      text.append("AT_")
      guard let (name, form) = InitialStack.description(of: entry.type) else {
        text.append("??? (0x")
        text.append(hex: entry.type, width: 1)
        text.append("): 0x")
        text.append(hex: entry.value, width: 1)
        text.append("\n")
        continue
      }
      text.append(name)
      switch form {
      case .decimal: text.append(decimal: entry.value)
      case .hexadecimal: text.append(hex: entry.value)
      case .plainHexadecimal: text.append(hex: entry.value, width: 1)
      case .string: text.append(ProcessMemory.cString(at: entry.value))
      }
      text.append("\n")
    }
    return text
  }
}
