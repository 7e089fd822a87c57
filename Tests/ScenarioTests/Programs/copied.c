int copied = 3;
char copied_text[32] = "text of the library";
int copied_function(int n) { return n * copied; }
int (*copied_pointer)(int) = copied_function;
int *copied_address(void) { return &copied; }
int copied_read(void) { return copied; }
