/* Moves all points by one frame; returns the frame's number, by the library's own count. */
unsigned long points_move(void);
/* What there is to see of it. */
const char *points_describe(void);
