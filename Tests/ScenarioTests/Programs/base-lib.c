/* Two libraries that have versions. The second refers to the first's function without naming one, since it is linked
   without it. */
#ifdef SECOND
extern int base_value(void);
int base_use(void) { return base_value() + 1; }
#else
int base_value(void) { return 41; }
#endif
