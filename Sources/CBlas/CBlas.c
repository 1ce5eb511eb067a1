#include "CBlas.h"
