// Runs the SDK's own tests. The first check that does not hold ends them.

#include "test.h"

void answer_tests(void);
void config_tests(void);
void hash_tests(void);
void host_tests(void);
void memory_tests(void);
void request_tests(void);

int main(void) {
    request_tests();
    config_tests();
    hash_tests();
    answer_tests();
    host_tests();
    memory_tests();
    puts("C SDK: all tests passed");
}
