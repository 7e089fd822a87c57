/* Long enough in one function for any profile. */
static volatile unsigned long sum;

__attribute__((noinline)) void busy_loop(void) {
  for (unsigned long i = 0; i < 200000000; i++) sum += i;
}

int main(void) {
  busy_loop();
  return 0;
}
