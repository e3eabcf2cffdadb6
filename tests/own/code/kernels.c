void affine_backward(const float *X, const float *W, const float *dY, float *dX, float *dW, int N, int D, int M) {
    for (int d = 0; d < D; d++)
        for (int m = 0; m < M; m++) {
            float sum = 0;
            for (int n = 0; n < N; n++) sum += X[n * D + d] * dY[n * M + m];
            dW[d * M + m] = sum;
        }
    for (int n = 0; n < N; n++)
        for (int d = 0; d < D; d++) {
            float sum = 0;
            for (int m = 0; m < M; m++) sum += dY[n * M + m] * W[d * M + m];
            dX[n * D + d] = sum;
        }
}
