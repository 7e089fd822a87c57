#include <math.h>
double twice_cos(double value) { return 2 * cos(value); }
