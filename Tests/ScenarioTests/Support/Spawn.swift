import Foundation

/// Starts a program in `directory` with no signal blocked or ignored, whatever the test runner does.
///
/// env(1) changes the directory and executes the program in the same process: a core file must not land elsewhere.
func spawn(
  _ command: [String], environment: [String: String], directory: String, input: String, output: String, errors: String
) throws -> pid_t {
  var actions = posix_spawn_file_actions_t()
  posix_spawn_file_actions_init(&actions)
  defer { posix_spawn_file_actions_destroy(&actions) }
  let flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND
  posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
  posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o644)
  posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o644)

  var attributes = posix_spawnattr_t()
  posix_spawnattr_init(&attributes)
  defer { posix_spawnattr_destroy(&attributes) }
  var signals = sigset_t()
  sigemptyset(&signals)
  posix_spawnattr_setsigmask(&attributes, &signals)
  sigfillset(&signals)
  posix_spawnattr_setsigdefault(&attributes, &signals)
  posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

  var arguments: [UnsafeMutablePointer<CChar>?] = (["env", "-C", directory] + command).map { strdup($0) } + [nil]
  var variables: [UnsafeMutablePointer<CChar>?] =
    environment.sorted { $0.key < $1.key }.map { strdup("\($0)=\($1)") } + [nil]
  defer { for string in arguments + variables { free(string) } }
  var pid: pid_t = 0
  let error = posix_spawn(&pid, "/usr/bin/env", &actions, &attributes, &arguments, &variables)
  guard error == 0 else { throw Failure("posix_spawn \(command[0]): \(String(cString: strerror(error)))") }
  return pid
}
