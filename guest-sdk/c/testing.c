// The test kit (pointsman_testing.h), as one translation unit.

#include "testing/json.c"
#include "testing/host.c"
#include "testing/request.c"
