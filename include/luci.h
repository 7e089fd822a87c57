/* luci.h: functions by which a program takes part in the replacement of its shared libraries (luci.h(3)).
 *
 * All of them are optional. Nothing has to be linked: a program that uses this header works the same under the system's
 * loader, where __luci_update does not exist. Compile with -fPIE or -fPIC, which compilers of today do by default: in
 * position-dependent code the linker decides that a weak function is not there.
 */
#ifndef LUCI_H
#define LUCI_H 1

#if defined(__GNUC__) || defined(__clang__)
#define LUCI_WEAK __attribute__((weak, visibility("default")))
#else
#error "luci.h needs a compiler with weak symbols"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Applies, on the calling thread, what has changed since the last call: 1 if something was replaced, else 0. While an
 * object of the program uses it, no update is made at any other time. Null under any other loader: call it by
 * luci_update(). Not for signal handlers, constructors and the two functions below, in which it does nothing. */
extern int __luci_update(void) LUCI_WEAK;

/* To be defined by a shared object or by the executable (linked with -rdynamic), if it wants to.
 *
 * Called right before an update in the version that is current: affected is 1 if this object is about to be replaced,
 * 0 if another one is. What it returns goes to the object's __luci_deserialize. */
extern void *__luci_serialize(int affected) LUCI_WEAK;

/* Called right after the update in the version that is current then. */
extern void __luci_deserialize(void *state) LUCI_WEAK;

/* __luci_update() where there is one. */
static inline int luci_update(void) { return __luci_update ? __luci_update() : 0; }

#ifdef __cplusplus
}
#endif

#undef LUCI_WEAK

#endif
