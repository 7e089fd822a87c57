/* VERSION is a text. */
const char *setting_version(void) { return VERSION; }

#ifdef OPENED
const char *setting_opened(void) { return VERSION; }
#else
/* Stays in one version, and calls a function that others may replace. */
void setting_stay(void (*tell)(const char *), volatile int *end) {
  while (!*end) tell(setting_version());
}
#endif

#ifdef CALLED
static int called;
__attribute__((noinline)) int setting_called(int n) { return n * CALLED; }
__attribute__((constructor)) static void call(void) { called = setting_called(3); }
int setting_call(void) { return called; }
#endif

#ifdef CONTENT
static int content = CONTENT;
int setting_content(void) { return content++; }
#endif

#ifdef SET_UP
static int ready;
__attribute__((constructor)) static void set_up(void) { ready = SET_UP; }
int setting_ready(void) { return ready; }
#endif
