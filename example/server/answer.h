/* Answers a request of at most 255 bytes; returns the length. `answer` has room for 512. */
unsigned answer_request(const char *request, unsigned length, char *answer);
unsigned long answer_count(void);
