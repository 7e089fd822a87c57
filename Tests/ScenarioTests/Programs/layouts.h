struct record;
const char *record_version(void);
struct record *record_new(unsigned long value);
unsigned long record_sum(const struct record *record);
void record_free(struct record *record);
