/* Called from a signal handler: VERSION tells which version answers. */
const char *alarm_version(void) { return VERSION; }
