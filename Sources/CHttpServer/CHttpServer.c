#include "CHttpServer.h"
