struct hooked_answer {
  const char *version;
  unsigned long count;
};
struct hooked_answer hooked_call(void);
void *hooked_record(void);
extern int hooked_variable;
