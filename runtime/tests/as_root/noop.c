// The program that the tests execute by the thousand.
int main(void) { return 0; }
