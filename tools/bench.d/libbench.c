/* The start of a generated library: bench_version is polled, the functions that follow are there to be compared. */
static unsigned long counts[64];
int bench_version(void) {
  counts[0]++;
  return VERSION;
}
