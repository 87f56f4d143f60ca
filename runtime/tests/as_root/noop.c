// The program that the tests execute thousands of times.
int main(void) { return 0; }
