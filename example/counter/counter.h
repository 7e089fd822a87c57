/* How many calls there were in all, and of the calling thread. */
struct counts {
  unsigned long all, own;
  const char *how;
};
struct counts count(void);
