import ArgumentParser

@main
struct SetInterp: ParsableCommand {
}
