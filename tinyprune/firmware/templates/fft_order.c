static void swap({{ number }} *one, {{ number }} *other)
{
    const {{ number }} kept = *one;
    *one = *other;
    *other = kept;
}

/* Put the numbers at the places whose bits are reversed. */
static void reorder({{ number }} values[])
{
    int reversed = 0;
    for (int place = 0; place < HALF; place++)
    {
        int bit = HALF / 2;
        if (place < reversed)
        {
            swap(&values[2 * place], &values[2 * reversed]);
            swap(&values[2 * place + 1], &values[2 * reversed + 1]);
        }
        while ((bit > 0) && (reversed >= bit))
        {
            reversed -= bit;
            bit /= 2;
        }
        reversed += bit;
    }
}
