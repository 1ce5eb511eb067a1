#include "CNormalize.h"
