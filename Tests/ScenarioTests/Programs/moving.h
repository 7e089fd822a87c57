#define MOVING_THREADS 8

extern int moving_shared;

long moving_add(int thread, long count);
long moving_part(int thread);
const char *moving_note(void);
int *moving_address(void);
int moving_layout(void);
long moving_extra(int i);
long moving_forget(int i);
