/* Says which of several libraries of one name it is. */
int value(void) { return VALUE; }
