/* Small libraries: the plain one, and with -DPLUGIN one to be opened. */
#ifdef PLUGIN
extern int exported_by_executable;
extern int plain_value(void);
int plugin_run(int n) { return n * plain_value() + exported_by_executable; }
__attribute__((constructor)) static void opened(void) { exported_by_executable++; }
#else
#ifndef VALUE
#define VALUE 1000
#endif
int plain_value(void) { return VALUE; }
#ifndef WITHOUT_EXTRA
int plain_extra(void) { return 1; }
#endif
#endif
